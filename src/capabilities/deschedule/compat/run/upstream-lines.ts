// What strategies say, in the words and at the levels that people who watch upstream's log look for.
import type { DeschedulerLog, LogFields } from './descheduler-log.ts'

interface Said {
  readonly level: number
  readonly message: string
  readonly fields: LogFields
}

/** Where upstream says it in other words. */
const words: Readonly<Record<string, string>> = {
  'node has been classified': 'Node has been classified',
  'processing node': 'Processing node',
  'total capacity to be moved': 'Total capacity to be moved',
  'pods on node': 'Pods on node',
}

/** Writes a line of a strategy to the log. */
export function tellAsUpstream(log: Pick<DeschedulerLog, 'told' | 'failed'>, { level, message, fields }: Said): void {
  if (message === 'eviction failed') {
    const { error, ...others } = fields
    log.failed(message, String(error), others)
    return
  }
  log.told(level, Object.hasOwn(words, message) ? (words[message] ?? message) : message, fields)
}
