// What every page says while something that it is made of is not heard: figures that are old or missing are not shown as if they were live.
import type { Source } from '../../contract.ts'
import { element, type Markup } from './markup.ts'

/** These have words of their own beside each figure. */
const saidElsewhere: readonly string[] = ['metrics', 'pod-metrics', 'power']

/** So many are told in words, the others counted. */
const mostTold = 3

/** Why something is not known, or not as it is now, a sentence each; on the overview the verdict says what concerns the API server. */
export function unheardWords(sources: readonly Source[], path: string, loading: string | null = null): readonly string[] {
  // While the cluster is read no page is whole, and the overview says it large.
  if (loading !== null) return path === '/' ? [] : [`${loading.replace(/\.$/, '')}. Until then this page is not whole.`]
  const isSilent = sources.some(({ name, state }) => name === 'api' && state !== 'live')
  // A server that is silent tells nothing of any kind.
  const heard = isSilent ? sources.filter(({ name }) => name === 'api') : sources
  if (path === '/' && isSilent) return []
  const told = heard.flatMap(({ name, state, because }) =>
    (state === 'stale' || state === 'down') && because !== null && !saidElsewhere.includes(name)
      ? [`${because.replace(/\.$/, '')}.`]
      : [],
  )
  const words = [...new Set(told)]
  const more = words.length - mostTold
  return more > 0 ? [...words.slice(0, mostTold), `${more} more ${more === 1 ? 'kind is' : 'kinds are'} not heard of.`] : words
}

/** The same below the header; undefined where all is heard. */
export function unheardMarkup(sources: readonly Source[], path: string, loading: string | null = null): Markup | undefined {
  const words = unheardWords(sources, path, loading)
  if (words.length === 0) return undefined
  return element(
    'div',
    { class: 'frame-banner', role: 'status' },
    words.map(text => element('p', { key: text }, text)),
  )
}

/** In place of `live`, while nothing answers that could be; undefined where it does. */
export function linkOf(sources: readonly Source[]): { readonly kind: 'late' | 'silent'; readonly text: string } | undefined {
  const { state = 'live' } = sources.find(({ name }) => name === 'api') ?? {}
  if (state === 'stale') return { kind: 'late', text: '◔ late' }
  return state === 'down' ? { kind: 'silent', text: '✕ silent' } : undefined
}
