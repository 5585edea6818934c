/** The shells that can complete our command lines. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** A shell with completion. */
export type Shell = (typeof shells)[number];

/** The hidden verb that the scripts call; its words follow `--`. */
export const completeVerb = '__complete';

/*
 * Each script asks the program itself, so it never has to be renewed. The answer is a line per candidate, word and meaning
 * parted by a tab, then a line `:files`, `:folders` or `:none`.
 */
const scripts: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for sheaf
_sheaf() {
  local line words=() paths=:none
  # COMP_WORDBREAKS parts words at = and :, which our names hold; the line is parted anew at blanks.
  local typed=\${COMP_LINE:0:COMP_POINT}
  read -ra words <<<"$typed"
  [[ $typed == *[[:space:]] ]] && words+=('')
  local current=\${words[-1]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) paths=$line ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${words[0]}" ${completeVerb} -- "\${words[@]:1}" 2>/dev/null)
  case $paths in
    :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    :folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
  esac
  # readline puts in only what follows the last break
  local kept=\${current%"\${current##*[:=]}"}
  [[ $kept ]] && COMPREPLY=("\${COMPREPLY[@]#"$kept"}")
}
complete -F _sheaf sheaf
`,
  zsh: `#compdef sheaf
_sheaf() {
  local line paths=:none
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :*) paths=$line ;;
      *$'\\t') candidates+=("\${\${line%$'\\t'}//:/\\\\:}") ;;
      *) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done < <("\${words[1]}" ${completeVerb} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  case $paths in
    :files) _files ;;
    :folders) _files -/ ;;
    *) _describe -V sheaf candidates ;;
  esac
}
if [ "$funcstack[1]" = _sheaf ]; then _sheaf "$@"; else compdef _sheaf sheaf; fi
`,
  fish: `# fish completion for sheaf
function __sheaf_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] ${completeVerb} -- $words[2..-1] $current 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path $current
      case ':folders'
        __fish_complete_directories $current ''
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c sheaf -f -a '(__sheaf_complete)'
`,
};

/** Gives the script that teaches a shell to complete our command lines. */
export function shellScript(shell: Shell): string {
  return scripts[shell];
}
