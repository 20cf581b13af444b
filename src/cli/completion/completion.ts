// `ballast completion`: a script for a shell, which asks the program itself for what may follow.
import { Argument } from 'commander'
import { about } from '../about.ts'
import type { DefineCommand } from '../command-line.ts'
import { isShell, shellScript, shells } from './shell-scripts.ts'

export const defineCompletion: DefineCommand = (program, surroundings) => {
  program
    .command('completion')
    .description(about.completion)
    .addArgument(
      new Argument('<shell>', 'kubectl: the program kubectl_complete-ballast, by which `kubectl ballast` completes').choices(
        shells,
      ),
    )
    .addHelpText(
      'after',
      [
        '',
        'bash:    source <(ballast completion bash)',
        'zsh:     source <(ballast completion zsh)      after compinit',
        'fish:    ballast completion fish | source',
        'kubectl: ballast completion kubectl > DIRECTORY/kubectl_complete-ballast, made executable, in a DIRECTORY of PATH',
        'Example: ballast completion bash > ~/.local/share/bash-completion/completions/ballast',
      ].join('\n'),
    )
    .action((shell: string) => {
      if (isShell(shell)) surroundings.terminal.write(shellScript(shell).trimEnd())
    })
}
