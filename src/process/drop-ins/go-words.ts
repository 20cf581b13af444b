// Command lines of programs with Go's own flags, which take one dash as well as two, and what klog has all of them take without effect.

import type { FlagForm } from './pflags.ts'

/** The flags of logs, as klog has them. */
// biome-ignore format: a table
export const logForms: Readonly<Record<string, FlagForm>> = {
  vmodule: 'text', add_dir_header: 'bool', alsologtostderr: 'bool', log_backtrace_at: 'text', log_dir: 'text', log_file: 'text', log_file_max_size: 'whole',
  logtostderr: 'bool', one_output: 'bool', skip_headers: 'bool', skip_log_headers: 'bool', stderrthreshold: 'text',
}

/**
 * The same words as `readFlags` takes them, by the forms of all flags; empty ones, which charts leave behind, count for nothing. A word that is the value
 * of the flag before it stays as it is: `-label-sources -usb`.
 */
export function withTwoDashes(words: readonly string[], forms: Readonly<Record<string, FlagForm>>): readonly string[] {
  let isValue = false
  return words
    .filter(word => word !== '')
    .map(word => {
      const [, name] = isValue ? [] : (/^--?([A-Za-z][^=]*)$/.exec(word) ?? [])
      const isFlag = !isValue && /^-[A-Za-z]/.test(word)
      isValue = name !== undefined && Object.hasOwn(forms, name) && forms[name] !== 'bool'
      return isFlag ? `-${word}` : word
    })
}
