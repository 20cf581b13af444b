// Keys, words, and how a goal is set.
import { useEffect } from 'preact/hooks'
import { helpWords, policyExample } from '../../words/help-words.ts'
import { keysNow, lettersOn, switchLetters } from '../frame/keys.ts'
import { PageTitle } from '../frame/page-title.tsx'
import './help.css'

/** What only some pages have. */
const elsewhere = [
  { key: 'e', text: 'Export the drawing' },
  { key: '.', text: 'Copy a link to this moment' },
  { key: 'Shift+P', text: 'Pause the plan that runs' },
]

export function HelpPage() {
  useEffect(() => {
    // The part of the page that a link named was not there when the browser looked for it.
    if (location.hash !== '') document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()
  }, [])
  return (
    <>
      <PageTitle text="Help" />
      <section class="overview-section" aria-labelledby="keys">
        <h2 id="keys">Keys</h2>
        <label class="help-switch">
          <input type="checkbox" checked={lettersOn.value} onChange={event => switchLetters(event.currentTarget.checked)} />{' '}
          Single letters do something
        </label>
        <dl class="help-keys">
          {[...keysNow(), ...elsewhere].map(({ key, text }) => (
            <div key={key}>
              <dt>
                {key.split(' ').map(part => (
                  <kbd key={part}>{part}</kbd>
                ))}
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <p>Within drawings and tables the arrow keys, Home, End and Page Down walk; Enter opens. No key approves a plan.</p>
      </section>
      <section class="overview-section" aria-labelledby="goals">
        <h2 id="goals">How to set a goal</h2>
        <p>
          Apply a policy. Without <code>mode: Auto</code> nothing is moved before you approve it.
        </p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls on a phone, and a keyboard must reach that */}
        <pre class="help-example" tabIndex={0}>
          {policyExample}
        </pre>
      </section>
      <section class="overview-section" aria-labelledby="words">
        <h2 id="words">Words</h2>
        <dl class="help-words">
          {helpWords.map(([word, text]) => (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </section>
    </>
  )
}
