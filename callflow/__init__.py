"""callflow: telephone call flows for Exotel AgentStream, on Trio.

Write states as classes, make a ``Flow`` of them, and serve it. Everything a flow needs is imported from here.
"""

from callflow.errors import (
    AudioError,
    CallEnded,
    CallflowError,
    FlowDefinitionError,
    FlowError,
    ServiceMissing,
    SettingsError,
    UndeclaredMove,
)
from callflow.flow.call import Call, EndedCall, Playback, Previous, Resumed, Speaker, Speech, Started
from callflow.flow.collect import CollectDigits
from callflow.flow.flow import Flow
from callflow.flow.hangup import Hangup
from callflow.flow.keys import Failed
from callflow.flow.menu import Menu
from callflow.flow.say import Say
from callflow.flow.secret import Secret
from callflow.flow.state import State, key
from callflow.flow.verdict import StreamTo, Verdict
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Fate, Heard
from callflow.wire.messages import Dtmf
from callflow.wire.passthru import PassthruReport
from callflow.wire.speech import Sensitivity, SpeechDetector
from callflow.wire.status import StatusReport

__all__ = [
    # A flow and its states
    "Flow",
    "State",
    "Say",
    "Menu",
    "CollectDigits",
    "Hangup",
    "key",
    # What handlers are given
    "Call",
    "Started",
    "Previous",
    "Resumed",
    "Dtmf",
    "Failed",
    "Secret",
    "Speech",
    "Playback",
    "Speaker",
    "Heard",
    "Fate",
    "EndedCall",
    "EndCause",
    "EndedBy",
    # Hearing
    "Sensitivity",
    "SpeechDetector",
    # Before and after the stream
    "PassthruReport",
    "Verdict",
    "StreamTo",
    "StatusReport",
    # What can be wrong
    "CallflowError",
    "FlowError",
    "FlowDefinitionError",
    "UndeclaredMove",
    "ServiceMissing",
    "AudioError",
    "CallEnded",
    "SettingsError",
]
