#compdef ballast kubectl-ballast
# zsh completion for ballast. It holds no word of a command: the program is asked at each press of the key.

_ballast() {
  local answer line word
  local -a candidates
  answer="$("${words[1]/#\~\//$HOME/}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)" || return 1
  [[ ${words[CURRENT]} == -*=* ]] && compset -P '*='
  for line in "${(@f)${answer%:*}}"; do
    [[ -z $line ]] && continue
    word=${${line%%$'\t'*}//:/\\:}
    [[ $line == *$'\t'* ]] && word+=":${line#*$'\t'}"
    candidates+=("$word")
  done
  (( $#candidates )) && _describe -t words ballast candidates
  case ${answer##*:} in
    0) _files ;;
    16) _files -/ ;;
  esac
}

# Read by `source` it is declared; found in fpath under its own name it is called.
if [[ ${funcstack[1]} == _ballast ]]; then
  _ballast "$@"
else
  compdef _ballast ballast kubectl-ballast
fi
