// The help page without a script: words, and how a goal is set. Keys need the script.
import { element, type Markup } from '../../web/drawn/markup.ts'
import { helpWords, policyExample } from '../../words/help-words.ts'
import { part } from './tables.ts'

export function plainHelp(): readonly Markup[] {
  return [
    part(
      'How to set a goal',
      element('p', {}, 'Apply a policy. Without ', element('code', {}, 'mode: Auto'), ' nothing is moved before you approve it.'),
      element('pre', { class: 'help-example' }, policyExample),
    ),
    part(
      'Words',
      element(
        'dl',
        { class: 'help-words' },
        helpWords.map(([word, text]) => element('div', { key: word }, element('dt', {}, word), element('dd', {}, text))),
      ),
    ),
  ]
}
