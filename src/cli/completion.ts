import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# weir completion bash: source <(weir completion bash), or write it to /etc/bash_completion.d/weir
_weir() {
  local line candidates=()
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      candidates=()
      break
    fi
    candidates+=("\${line%%$'\\t'*}")
  done < <(weir __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=("\${candidates[@]}")
}
complete -F _weir weir
`,
  zsh: `#compdef weir
# weir completion zsh: write it to a folder of $fpath as _weir, or source <(weir completion zsh) after compinit
_weir() {
  local line
  local -a candidates
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <(weir __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe 'weir' candidates
}
if [[ $funcstack[1] == _weir ]]; then
  _weir "$@"
else
  compdef _weir weir
fi
`,
  fish: `# weir completion fish: weir completion fish > ~/.config/fish/completions/weir.fish
function __weir_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  set -l lines (weir __complete $words 2>/dev/null)
  if contains -- :files $lines
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $lines
  end
end
complete -c weir -f -a '(__weir_complete)'
`,
}

/** The scripts ask `weir __complete`, by name: an update of Weir needs no new script. */
export async function completion(session: Session): Promise<undefined> {
  const [shell = ''] = session.args
  const script = SCRIPTS[shell]
  if (script === undefined)
    throw usage(
      `no completion for "${escapeControl(shell)}"`,
      shell === 'powershell' ? 'not yet supported' : undefined,
      `weir completion ${Object.keys(SCRIPTS).join('|')}`,
    )
  session.terminal.out(script)
}
