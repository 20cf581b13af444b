// What `ballast migrate apply --all` told of its steps.
import type { CommandResult } from '../run-command.ts'

/** Each step with what became of it, in turn. */
export function told({ stderr }: CommandResult): readonly string[] {
  return stderr.split('\n').flatMap(line => /^([a-z-]+: (?:done|was so|failed|reverted)):/.exec(line)?.[1] ?? [])
}
