// Keys, words, and how a goal is set.
import { useEffect } from 'preact/hooks'
import { keysNow, lettersOn, switchLetters } from '../frame/keys.ts'
import { PageTitle } from '../frame/page-title.tsx'
import './help.css'

const words: readonly (readonly [word: string, text: string])[] = [
  ['allocatable', 'What a node can give to pods: its size less what the system keeps. Bars end there.'],
  ['requested', 'What the pods on a node have asked for. The scheduler places pods by it; goals are mostly about it.'],
  ['used', 'What they really take, as metrics.k8s.io says. – where nobody says.'],
  ['goal', 'A bound on a node’s share, such as at most 70 percent of its CPU requested.'],
  ['plan', 'Moves that reach the goals. Proposed, then approved by you or by the policy, then carried out in waves.'],
  ['move', 'One pod leaves a node by eviction and is placed anew, where the plan has proven that it fits.'],
  ['proof', 'What a verifier, which shares no code with the planner, checked again for one move.'],
  ['permit', 'The arbiter’s answer to whoever wants to disrupt a pod: granted, waiting, denied with the rule, or merged.'],
  ['frozen', 'Nothing is disrupted until it is thawed: the cluster, a namespace, a plan or a workload.'],
  ['twin', 'A simulated cluster with the same API. What is tried there disrupts nobody.'],
]

/** What only some pages have. */
const elsewhere = [
  { key: 'f', text: 'Filter, where there are filters' },
  { key: 'e', text: 'Export the drawing' },
  { key: '.', text: 'Copy a link to this moment' },
  { key: 'Shift+P', text: 'Pause the plan that runs' },
]

const example = `apiVersion: ballast.dev/v1alpha1
kind: RebalancePolicy
metadata:
  name: evenly
spec:
  mode: Approve
  goals:
  - {name: lighter, nodes: [NODE], resource: cpu, stat: requests, max: 70}
  - {name: of-use, nodes: [OTHER], resource: cpu, stat: requests, min: 30}`

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
          {example}
        </pre>
      </section>
      <section class="overview-section" aria-labelledby="words">
        <h2 id="words">Words</h2>
        <dl class="help-words">
          {words.map(([word, text]) => (
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
