"""One end of SRTP with keys in SDP (RFC 4568); libsrtp does the work."""
import base64
import os

from pylibsrtp import Policy, Session

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
SIZES = {"AES_256": 46, "AES_192": 38, "F8_128_": 30, "NULL_HM": 30}
STANDARD = "AES_CM_128_HMAC_SHA1_80"


class Secure:
    """One end's keys of one suite: ours to send with, theirs from their line."""

    def __init__(self, suite=STANDARD, tag=1):
        self.suite, self.tag = suite, tag
        self.profile, size = PROFILES.get(suite, (None, SIZES.get(suite[:7], 30)))
        self.key, self.theirs = os.urandom(size), None
        if self.profile is not None:
            self.sending = Session(Policy(key=self.key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=self.profile))

    @property
    def line(self):
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"

    def hear(self, line):
        tag, suite, key = line.split()[:3]
        assert suite == self.suite
        text = key.removeprefix("inline:").split("|")[0]
        theirs = base64.b64decode(text + "=" * (-len(text) % 4))
        if theirs == self.theirs:
            return self  # with its rollover counters
        self.theirs = theirs
        self.receiving = Session(Policy(key=self.theirs, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=self.profile))
        return self


def line_of(section, suite):
    return next(line for line in section.attributes("crypto") if line.split()[1] == suite)
