#!/bin/sh
# What a telnet host runs: it asks for a name and a password, as login(1) does, and becomes a
# shell in the folder where it stands. No account of the machine is needed or changed.
stty sane
while
  printf 'login: '
  read -r name || exit
  stty -echo
  printf 'Password: '
  read -r password
  stty echo
  echo
  [ "$password" != 'open sesame' ]
do
  echo 'Login incorrect'
done
echo "Welcome, $name."
cd "${0%/*}" || exit
exec env -u HISTFILE HOME="$PWD" PS1='host$ ' bash --noprofile --norc -i
