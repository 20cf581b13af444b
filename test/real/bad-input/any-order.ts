// Answers with everything that a server lists in the order of a Go map put in one order. It differs from run to run; nothing else of an
// answer is changed, so that what is missing, added or said in other words still differs.
import type { RecordedCase } from './case.ts'

/** The answer with its messages, causes and warnings sorted. */
export function inOneOrder<T extends Pick<RecordedCase, 'headers' | 'answer'>>(recorded: T): T {
  const { headers, answer } = recorded
  const warning = headers['warning']
  const ordered = warning === undefined ? headers : { ...headers, warning: sortedParts(warning, /, (?=299 - ")/) }
  return { ...recorded, headers: ordered, answer: isFields(answer) ? orderedStatus(answer) : answer }
}

type Fields = Readonly<Record<string, unknown>>

function orderedStatus(status: Fields): Fields {
  const { message, details } = status
  const causes = isFields(details) && Array.isArray(details['causes']) ? details['causes'] : []
  return {
    ...status,
    ...(typeof message === 'string' ? { message: orderedMessage(message, causes) } : {}),
    ...(causes.length > 0 && isFields(details) ? { details: { ...details, causes: sortedBy(causes, JSON.stringify) } } : {}),
  }
}

/** `X is invalid: [a, b, c]` has all causes in their order, each text once; a decoder's list begins each part with one of a few words. */
function orderedMessage(message: string, causes: readonly unknown[]): string {
  const texts = [...new Set(causes.map(causeText))]
  const list = `[${texts.join(', ')}]`
  if (texts.length > 1 && message.endsWith(list)) return `${message.slice(0, -list.length)}[${texts.toSorted().join(', ')}]`
  return message.replace(/(?<=strict decoding error: ).+$/s, list =>
    sortedParts(list, /, (?=(?:unknown|(?:\w+ )*duplicate) field ")/),
  )
}

function causeText(cause: unknown): string {
  return isFields(cause) ? `${String(cause['field'] ?? '')}: ${String(cause['message'] ?? '')}` : String(cause)
}

function sortedParts(text: string, separator: RegExp): string {
  return text.split(separator).toSorted().join(', ')
}

function sortedBy<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  return items.toSorted((left, right) => (key(left) < key(right) ? -1 : 1))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
