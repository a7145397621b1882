"""The line simulator: Exotel's side of a call, in real or virtual time.

``place_call`` rings a server, by sockets (``dial_socket``, ``dial_tls``) or in memory (``MemoryNetwork``), and gives a
``Telephone`` to press, speak and listen with; its ``Profile`` says which Exotel is at the other end. ``passthru`` asks
the applets before and after the stream.
"""

from callflow.errors import NotAnswered as NotAnswered
from callflow.line.applets import Applets as Applets
from callflow.line.applets import StreamRecord as StreamRecord
from callflow.line.applets import passthru as passthru
from callflow.line.dialling import dial_socket as dial_socket
from callflow.line.dialling import dial_tls as dial_tls
from callflow.line.memory import Conditions as Conditions
from callflow.line.memory import MemoryNetwork as MemoryNetwork
from callflow.line.memory import memory_pair as memory_pair
from callflow.line.placing import place_call as place_call
from callflow.line.playout import Playout as Playout
from callflow.line.playout import Segment as Segment
from callflow.line.profile import CONFORMANT as CONFORMANT
from callflow.line.profile import Profile as Profile
from callflow.line.telephone import LineEntry as LineEntry
from callflow.line.telephone import Telephone as Telephone
