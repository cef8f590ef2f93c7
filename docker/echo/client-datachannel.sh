#!/bin/sh
# As client.sh, and tests a data channel.
# shellcheck disable=SC2086
exec strowger echo client $1 -t 1
