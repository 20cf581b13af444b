# bash completion for ballast. It holds no word of a command: the program is asked at each press of the key.

_ballast() {
  local line=${COMP_LINE:0:COMP_POINT} word index answer current value
  local -a typed=()
  # Bash splits words at = and :, and tells nothing of the spaces between them. What stands together is put together again.
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if ((index > 0)) && [[ $line != [[:space:]]* ]]; then
      typed[${#typed[@]} - 1]+=$word
    else
      typed+=("$word")
    fi
    line=${line#"${line%%[![:space:]]*}"}
    line=${line#"$word"}
  done
  answer=$("${typed[0]/#\~\//$HOME/}" __complete "${typed[@]:1}" 2>/dev/null) || return
  current=${COMP_WORDS[COMP_CWORD]}
  [[ $current == '=' ]] && current=
  COMPREPLY=()
  while IFS=$'\t' read -r value _; do
    [[ -n $value && $value == "$current"* ]] && COMPREPLY+=("$value")
  done <<<"${answer%:*}"
  case ${answer##*:} in
    0) compopt -o default ;;
    16) compopt -o dirnames ;;
  esac
}

# Version 3, which macOS has, cannot be told case by case where files are meant.
if type compopt &>/dev/null; then
  complete -F _ballast ballast kubectl-ballast
else
  compopt() { :; }
  complete -o default -F _ballast ballast kubectl-ballast
fi
