// Numbers and lists in English sentences: plural by Intl.PluralRules, digits by Intl.NumberFormat, lists by Intl.ListFormat.
import { count } from './quantity.ts'

const rules = new Intl.PluralRules('en')
const lists = new Intl.ListFormat('en', { type: 'conjunction' })

/** `1 move`, `15 moves`, of an unknown number `– moves`; the other form where it is not made by an s. */
export function counted(amount: number | null, one: string, many = `${one}s`): string {
  return `${count(amount)} ${form(amount, one, many)}`
}

/** `one` or `many`, as the number asks for. */
export function form(amount: number | null, one: string, many: string): string {
  return amount !== null && rules.select(amount) === 'one' ? one : many
}

/** `a, b, and 3 more`: at most `most` names. */
export function listed(names: readonly string[], most = 3): string {
  if (names.length <= most) return lists.format(names)
  return `${names.slice(0, most).join(', ')} and ${count(names.length - most)} more`
}

/** A sentence's first letter. */
export function capital(text: string): string {
  const [first = ''] = text
  return `${first.toUpperCase()}${text.slice(first.length)}`
}
