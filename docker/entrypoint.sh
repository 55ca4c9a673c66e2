#!/bin/sh
# The image's command line is rbridge's; programs of these names run themselves: docker run rbridge python my_script.py
case ${1-} in
  python | python3 | jupyter | R | Rscript | sh | bash) exec "$@" ;;
  *) exec rbridge "$@" ;;
esac
