// The texts that upstreams write, by the literals of their own sources (test/fixtures/upstream-texts.json), filled in as Go fills them in.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface UpstreamText {
  readonly id: string
  /** `module@version file` */
  readonly source: string
  readonly text: string
  /** What it writes for the first `%s`, where that is a verb. */
  readonly verb?: string
}

const fixtures = join(import.meta.dirname, 'fixtures')
const texts: readonly UpstreamText[] = JSON.parse(readFileSync(join(fixtures, 'upstream-texts.json'), 'utf8'))

/** `id` as each version that is recorded writes it, with `values` in its places. */
export function upstreamTexts(id: string, ...values: readonly string[]): readonly string[] {
  const found = texts.filter(one => one.id === id)
  if (found.length === 0) throw new Error(`nothing is recorded of ${id}`)
  return found.map(({ text, verb }) => {
    const left = verb === undefined ? [...values] : [verb, ...values]
    return text.replaceAll(/%[sdvq]/g, place => (place === '%q' ? JSON.stringify(left.shift() ?? '') : (left.shift() ?? '')))
  })
}

/** The newest of them. */
export function upstreamText(id: string, ...values: readonly string[]): string {
  return upstreamTexts(id, ...values).at(-1) ?? ''
}

export interface RecordedEvent {
  readonly reason: string
  /** `StatefulSet/db` */
  readonly regarding: string
  readonly component: string
  readonly message: string
}

/** The Events of one reason that real controllers wrote: `file` is one of test/fixtures/controllers. */
export function recordedEvents(file: string, reason: string): readonly RecordedEvent[] {
  const recorded: { readonly scenarios: Readonly<Record<string, readonly { readonly events?: readonly string[] }[]>> } =
    JSON.parse(readFileSync(join(fixtures, 'controllers', file), 'utf8'))
  return Object.values(recorded.scenarios)
    .flat()
    .flatMap(({ events = [] }) => events)
    .flatMap(line => {
      const [, found, regarding = '', component = '', message = ''] =
        /^\w+ (\w+) (\S+\/.*?) \(([\w-]+)\): (.*)$/s.exec(line) ?? []
      return found === reason ? [{ reason, regarding, component, message }] : []
    })
}
