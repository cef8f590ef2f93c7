#!/bin/sh
# The client of the interop tests: one argument holds all options; the status is the verdict.
# shellcheck disable=SC2086
exec strowger echo client $1
