"""A crawler that is given more to do while it runs, shows how far it is, and ends with what it has found.

taskpy-worker crawler                     the worker
python crawler.py                         serve a small site in two parts, crawl the one, and show how far it is
taskpy send ID http://127.0.0.1:PORT/b/1  in another terminal: the other part, too; any address will do
taskpy stop ID --reason "that will do"    end it; the result is what it has found
"""

import logging
import threading
from contextlib import suppress
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib import parse, request

from taskpy import Empty, task


@task
def crawl(t, *seeds):
    ahead, pages = [*seeds], {}
    while not t.stopped():
        with suppress(Empty):
            ahead.append(t.recv(timeout=0 if ahead else 60))  # it waits only when it has nothing to do
        if ahead and (url := ahead.pop(0)) not in pages:
            try:
                ahead += pages.setdefault(url, links_of(url))
            except (OSError, ValueError) as error:
                logging.getLogger("crawler").warning("%s: %s", url, error)
            t.progress(len(pages), len({*pages, *ahead}), url)
    return pages


def links_of(url):
    parser, links = HTMLParser(), []
    parser.handle_starttag = lambda _tag, attrs: links.append(dict(attrs).get("href"))
    parser.feed(request.urlopen(url, timeout=10).read().decode(errors="replace"))  # noqa: S310
    return [parse.urljoin(url, link) for link in links if link]


class Site(BaseHTTPRequestHandler):
    def do_GET(self):  # /a/1 leads to 40 pages, and so does /b/1; there are no others
        n = int(self.path[3:]) if self.path.startswith(("/a/", "/b/")) else 0
        links = [f'<a href="{m}">{m}</a>' for m in (1, 2 * n, 2 * n + 1) if 0 < n <= 40 >= m]
        self.send_response(200 if links else 404)
        self.end_headers()
        self.wfile.write("".join(links).encode())

    def log_message(self, *about): ...


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handle = crawl.submit(f"http://127.0.0.1:{server.server_port}/a/1")
    print(handle.id)
    for report in handle.reports(follow=True):
        print(report)
    print(len(handle.result), "pages")
