// What the command lines of all programs of node-feature-discovery have in common.

import type { FlagForm } from '#process/drop-ins/pflags.ts'

/** Flags of logs, and those of older versions: they are taken, and have no effect. */
// biome-ignore format: a table
export const logFlags: Readonly<Record<string, FlagForm>> = {
  'feature-gates': 'text', metrics: 'whole', 'grpc-health': 'whole', vmodule: 'text', add_dir_header: 'bool', alsologtostderr: 'bool', log_backtrace_at: 'text', log_dir: 'text',
  log_file: 'text', log_file_max_size: 'whole', logtostderr: 'bool', one_output: 'bool', skip_headers: 'bool', skip_log_headers: 'bool', stderrthreshold: 'text',
}

/** Go's own flags have one dash as well as two. */
export function withTwoDashes(words: readonly string[]): readonly string[] {
  return words.map(word => (/^-[A-Za-z]/.test(word) ? `-${word}` : word))
}
