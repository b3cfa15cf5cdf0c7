"""What to say to Redis: one function a verb, each returns an `Op`. The verbs of tasks and workers; no I/O.

Every op may be sent again when its answer was lost: the same call twice has the effect of one. Times are seconds of
Redis's clock here, milliseconds in Redis. What lists and pages read is in `pages`, the keys are in `keys`, the answers in
`answers`.
"""

from taskpy.ops.inside import Kept as Kept
from taskpy.ops.inside import Parked as Parked
from taskpy.ops.inside import adopt as adopt
from taskpy.ops.inside import fetch as fetch
from taskpy.ops.inside import mark as mark
from taskpy.ops.inside import orders as orders
from taskpy.ops.inside import park as park
from taskpy.ops.inside import pose as pose
from taskpy.ops.inside import report as report
from taskpy.ops.inside import respond as respond
from taskpy.ops.inside import seen as seen
from taskpy.ops.inside import spawn as spawn
from taskpy.ops.inside import withdraw as withdraw
from taskpy.ops.keyed import holder as holder
from taskpy.ops.keyed import submit_keyed as submit_keyed
from taskpy.ops.op import Op as Op
from taskpy.ops.op import guarded as guarded
from taskpy.ops.op import plain as plain
from taskpy.ops.op import scripted as scripted
from taskpy.ops.op import token_of as token_of
from taskpy.ops.outside import VERSION as VERSION
from taskpy.ops.outside import agree as agree
from taskpy.ops.outside import answer as answer
from taskpy.ops.outside import answered as answered
from taskpy.ops.outside import ask as ask
from taskpy.ops.outside import children as children
from taskpy.ops.outside import divide as divide
from taskpy.ops.outside import felled as felled
from taskpy.ops.outside import inquire as inquire
from taskpy.ops.outside import locate as locate
from taskpy.ops.outside import parent as parent
from taskpy.ops.outside import pause as pause
from taskpy.ops.outside import pause_task as pause_task
from taskpy.ops.outside import purge as purge
from taskpy.ops.outside import receipt as receipt
from taskpy.ops.outside import receive as receive
from taskpy.ops.outside import reported as reported
from taskpy.ops.outside import response as response
from taskpy.ops.outside import resume as resume
from taskpy.ops.outside import resume_task as resume_task
from taskpy.ops.outside import retract as retract
from taskpy.ops.outside import revive as revive
from taskpy.ops.outside import send as send
from taskpy.ops.outside import status as status
from taskpy.ops.outside import stop as stop
from taskpy.ops.outside import submit as submit
from taskpy.ops.outside import submit_many as submit_many
from taskpy.ops.worker import Ending as Ending
from taskpy.ops.worker import Why as Why
from taskpy.ops.worker import claim as claim
from taskpy.ops.worker import due as due
from taskpy.ops.worker import forget as forget
from taskpy.ops.worker import giveback as giveback
from taskpy.ops.worker import heartbeat as heartbeat
from taskpy.ops.worker import held as held
from taskpy.ops.worker import join as join
from taskpy.ops.worker import lose as lose
from taskpy.ops.worker import promote as promote
from taskpy.ops.worker import recover as recover
from taskpy.ops.worker import renew as renew
from taskpy.ops.worker import ring as ring
from taskpy.ops.worker import settle as settle
from taskpy.ops.worker import start as start
from taskpy.ops.worker import take as take
