"""python manage.py newsletter send|pace|stop"""

from django.core.management import BaseCommand
from newsletter.tasks import send_newsletter

from taskpy import RemoteTask


class Command(BaseCommand):
    help = "Send a newsletter on a worker, and steer it from any terminal."

    def add_arguments(self, parser):
        verbs = parser.add_subparsers(dest="verb", required=True)
        send = verbs.add_parser("send", help="mail it to all users, and show to whom it went; Ctrl-C stops it")
        send.add_argument("subject")
        send.add_argument("text")
        pace = verbs.add_parser("pace", help="mail it slower or faster from now on")
        pace.add_argument("id")
        pace.add_argument("seconds", type=float, help="from one mail to the next")
        stop = verbs.add_parser("stop", help="send it to nobody else")
        stop.add_argument("id")

    def handle(self, verb, **options):
        match verb:
            case "send":
                self.send(options["subject"], options["text"])
            case "pace":
                RemoteTask.attach(options["id"]).send(options["seconds"])
            case "stop":
                self.stop(RemoteTask.attach(options["id"]))

    def send(self, subject, text):
        handle = send_newsletter.submit(subject, text)
        self.stdout.write(f"task {handle.id}")
        try:
            for address in handle:
                self.stdout.write(f"mailed to {address}")
        except KeyboardInterrupt:
            self.stop(handle)
        self.stdout.write(f"{handle.get()} mails")

    def stop(self, handle):
        handle.stop(reason="manage.py newsletter stop")
