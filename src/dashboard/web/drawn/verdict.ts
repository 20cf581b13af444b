// The first thing on the page: what is wrong, what is being done, why that is safe.
import type { Overview, Sentence } from '../../contract.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { momentMarkup, sentenceMarkup } from './sentence.ts'

/** One or two sentences, large; the level is said by a sign and a word too, never by colour alone. */
export function verdictMarkup({ verdict, loading }: Pick<Overview, 'verdict' | 'loading'>, surroundings: Surroundings): Markup {
  const sentences: readonly Sentence[] =
    loading === null ? verdict.sentences.map(withoutTrailing) : [{ code: 'loading', text: loading.text, facts: {}, links: [] }]
  const level = loading === null ? verdict.level : 'acting'
  return element(
    'div',
    { class: `drawn-verdict drawn-verdict-${level}` },
    element('span', { class: 'drawn-level' }, loading === null ? levelWords[level] : 'Loading'),
    element(
      'p',
      { class: 'drawn-verdict-text' },
      sentences.flatMap((sentence, index) => [...(index === 0 ? [] : [' ']), ...sentenceMarkup(sentence, surroundings)]),
    ),
  )
}

/** A link that is not in the text would stand after it: what it leads to has a button below. */
const withoutTrailing = (sentence: Sentence): Sentence => ({
  ...sentence,
  links: sentence.links.filter(({ text }) => sentence.text.includes(text)),
})

const levelWords = {
  good: '✓ All well',
  attention: '! Needs attention',
  acting: '● At work',
  blocked: '■ Held up',
  unknown: '? Not known',
} as const satisfies Readonly<Record<Overview['verdict']['level'], string>>

/** Under a plan that waits: what makes it safe, a clause each, with its place. */
export function safetyMarkup(safety: readonly Sentence[], surroundings: Surroundings): Markup | undefined {
  if (safety.length === 0) return undefined
  return element(
    'p',
    { class: 'drawn-safety' },
    safety.flatMap((clause, index) => [...(index === 0 ? [] : ['; ']), ...sentenceMarkup(clause, surroundings)]),
    '.',
  )
}

/** What is being carried out now. */
export function doingMarkup(doing: Overview['doing'], surroundings: Surroundings): Markup {
  if (doing.length === 0) return element('p', { class: 'drawn-quiet' }, 'Nothing is being moved.')
  return element(
    'ul',
    { class: 'drawn-doing' },
    doing.map(({ permit, sentence, since }) =>
      element(
        'li',
        { key: permit },
        element('span', { class: 'drawn-doing-sign', 'aria-hidden': 'true' }, '◑'),
        element('span', {}, sentenceMarkup(sentence, surroundings)),
        element('span', { class: 'drawn-muted' }, 'since ', momentMarkup(since, surroundings)),
      ),
    ),
  )
}
