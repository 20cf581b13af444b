// Every upstream that Ballast knows. Whoever asks for names, help, findings or steps reads this list.
import { assertDistinct } from '#coordination/taken-names.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { notReplaced } from './not-replaced.ts'
import type { Replaced, Upstream } from './upstream.ts'

const replacedOnes = await Promise.all(enabledCapabilities.map(async one => (await one.upstreams?.()) ?? []))

export const upstreams: readonly Upstream[] = [...replacedOnes.flat(), ...notReplaced]

/** @throws Error where two have one name, or one id for `migrate` */
export function assertToldApart(among: readonly Upstream[]): void {
  assertDistinct(
    'upstream',
    among.map(({ name, capability }) => ({ name, by: capability })),
  )
  assertDistinct(
    'id of an upstream',
    among.flatMap(({ capability, replaced }) => (replaced === undefined ? [] : [{ name: replaced.id, by: capability }])),
  )
}
assertToldApart(upstreams)

/** An upstream whose place Ballast takes. */
export type Replaceable = Upstream & { readonly replaced: Replaced }

const isReplaceable = (upstream: Upstream): upstream is Replaceable => upstream.replaced !== undefined

/** Those whose place Ballast takes, by name. */
export const replaceable = (among: readonly Upstream[] = upstreams): readonly Replaceable[] =>
  among.filter(isReplaceable).toSorted((a, b) => (a.replaced.id < b.replaced.id ? -1 : 1))

/** `a, b and c`, `a, b or c`: what can be moved. */
export function replaceableNames(word: 'and' | 'or'): string {
  const ids = replaceable().map(({ replaced }) => replaced.id)
  return ids.join(', ').replace(/, ([^,]*)$/, ` ${word} $1`)
}
