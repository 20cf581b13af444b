// The twin: its clock, its faults, where it comes from.
import { useState } from 'preact/hooks'
import type { ActionButton, Overview, TwinFault, TwinView } from '../../contract.ts'
import { twinFaultKinds } from '../../contract-names.ts'
import { dayAndTime } from '../../words/time.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { at } from '../frame/past.ts'
import { now, zone } from '../frame/time.ts'
import { isConnected } from '../live/live.ts'
import { readingOf, useTopic } from '../live/topics.ts'
import { nodesOf } from '../nodes/node-columns.ts'
import { Press, seenOf, settledText } from '../twin/twin-bar.tsx'
import { type Acting, useActions } from '../widgets/action-bar.tsx'
import { sentText } from '../widgets/sent-action.ts'
import { StateNote } from '../widgets/state-note.tsx'
import { When } from '../widgets/when.tsx'

export function TwinPage() {
  if (at.value === undefined) return <TwinNow />
  return (
    <>
      <PageTitle text="Twin" />
      <p>The clock and the faults of a twin are of the present only.</p>
    </>
  )
}

function TwinNow() {
  const topic = useTopic<TwinView>('twin')
  return (
    <>
      <PageTitle text="Twin" />
      <StateNote topic={topic} what="the twin" gone={<p>Only a twin has a clock and faults of its own.</p>}>
        {twin => <Shown twin={twin} />}
      </StateNote>
    </>
  )
}

function Shown({ twin }: { twin: TwinView }) {
  const acting = useActions(seenOf(twin))
  const said = sentText(acting.sent)
  const reset = twin.buttons.find(({ action }) => action === 'twin/reset')
  return (
    <>
      <p>
        A simulated cluster behind an API of its own. What is tried here disrupts nobody; kubectl sees and drives the same
        objects.
      </p>
      {said === undefined ? null : (
        <p class="widgets-note" role="status">
          {said}
        </p>
      )}
      <dl class="twin-facts">
        <dt>Source</dt>
        <dd>{twin.source}</dd>
        <dt>Seed</dt>
        <dd>{twin.seed}</dd>
        <dt>Clock</dt>
        <dd>
          {dayAndTime(now.value, zone.value)} {zone.value}, {paceText(twin)}
        </dd>
        <dt>Waiting</dt>
        <dd>{settledText(twin)}</dd>
      </dl>
      <section class="overview-section" aria-labelledby="faults">
        <h2 id="faults">Faults</h2>
        <Faults twin={twin} acting={acting} />
        <NewFault twin={twin} acting={acting} />
      </section>
      {reset === undefined ? null : (
        <section class="overview-section" aria-labelledby="reset">
          <h2 id="reset">Begin anew</h2>
          <p>
            The source is loaded once more; what happened since is forgotten. <Press button={reset} acting={acting} />
          </p>
        </section>
      )}
    </>
  )
}

function paceText({ speed, paused }: TwinView): string {
  if (paused) return 'paused'
  if (speed === 1) return 'as fast as ours'
  return speed === null ? 'from one event to the next' : `${speed} times as fast as ours`
}

function Faults({ twin, acting }: { twin: TwinView; acting: Acting }) {
  if (twin.faults.length === 0) return <p class="drawn-quiet">Nothing is broken.</p>
  return (
    <ul class="twin-faults">
      {twin.faults.map(fault => (
        <Fault key={fault.name} fault={fault} heal={twin.buttons.find(({ body }) => body.name === fault.name)} acting={acting} />
      ))}
    </ul>
  )
}

function Fault({ fault, heal, acting }: { fault: TwinFault; heal: ActionButton | undefined; acting: Acting }) {
  return (
    <li>
      <b>{fault.name}</b> {fault.text}{' '}
      <span class="drawn-muted">
        {fault.since === null ? null : (
          <>
            since <When at={fault.since} />
          </>
        )}
        {fault.until === null ? ', until it is healed' : <> until {<When at={fault.until} />}</>}
      </span>{' '}
      {heal === undefined ? (
        <span class="drawn-muted">made elsewhere</span>
      ) : (
        <Press button={heal} acting={acting}>
          Heal
        </Press>
      )}
    </li>
  )
}

const lengths: readonly (readonly [minutes: number | undefined, text: string])[] = [
  [1, 'for 1 min'],
  [5, 'for 5 min'],
  [30, 'for 30 min'],
  [undefined, 'until healed'],
]

function NewFault({ twin, acting }: { twin: TwinView; acting: Acting }) {
  const offered = twin.buttons.filter(({ action }) => action === 'twin/fault')
  const overview = readingOf<Overview>('overview').value.value
  const nodes = overview === undefined ? [] : nodesOf(overview)
  const [kind, setKind] = useState<string>(twinFaultKinds[0])
  const [node, setNode] = useState('')
  const [length, setLength] = useState(1)
  const button = offered.find(({ body }) => body.fault?.kind === kind)
  if (button === undefined) return null
  const needsNode = kind === 'stop-node'
  const minutes = lengths[length]?.[0]
  const target = node === '' ? (nodes[0]?.name ?? '') : node
  const fault = { kind, ...(needsNode ? { node: target } : {}), ...(minutes === undefined ? {} : { minutes }) }
  return (
    <form
      class="twin-new-fault"
      onSubmit={event => {
        event.preventDefault()
        acting.press({ action: button.action, body: { ...button.body, fault } })
      }}
    >
      <select class="widgets-select" aria-label="What breaks" value={kind} onChange={event => setKind(event.currentTarget.value)}>
        {offered.map(({ label, body }) => (
          <option key={label} value={body.fault?.kind}>
            {label}
          </option>
        ))}
      </select>
      {needsNode ? (
        <select
          class="widgets-select"
          aria-label="Which node"
          value={target}
          onChange={event => setNode(event.currentTarget.value)}
        >
          {nodes.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : null}
      <select
        class="widgets-select"
        aria-label="For how long"
        value={length}
        onChange={event => setLength(Number(event.currentTarget.value))}
      >
        {lengths.map(([, text], index) => (
          <option key={text} value={index}>
            {text}
          </option>
        ))}
      </select>
      <button
        type="submit"
        class="widgets-button"
        disabled={!button.enabled || !isConnected.value}
        title={button.because ?? undefined}
      >
        Break it
      </button>
    </form>
  )
}
