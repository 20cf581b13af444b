// How a sentence is put together: its text harmless to look at, its facts as they are.
import type { Link, Sentence } from '../contract.ts'
import { printable } from './names.ts'

type Facts = Sentence['facts']

/** `text` as a sentence under `code` (kebab-case). Control characters of names in it become pictures. */
export function say(code: string, text: string, facts: Facts = {}, links: readonly Link[] = []): Sentence {
  return { code, text: printable(text), facts, links }
}
