// Plays a replay: the picture, the sentence above it, Run and Pause, a slider with the refusals as marks, and the proof of what is chosen. It knows
// nothing of the page around it, so that a file that is sent to somebody has the same.
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Sentence } from '../../contract.ts'
import type { ReplayStep, ReplayTile, ReplayView } from '../../contract-replay.ts'
import { tileWords } from '../../words/en-replay.ts'
import { counted } from '../../words/grammar.ts'
import { printable } from '../../words/names.ts'
import { CursorDrawing } from '../drawings/cursor-drawing.tsx'
import { Drawn } from '../drawn/drawn.tsx'
import type { Markup } from '../drawn/markup.ts'
import { amountText, drawingName, refusalSign, replayDrawing, replayPatterns, tileName } from '../drawn/replay/drawing.ts'
import { replayLayout } from '../drawn/replay/layout.ts'
import { replayMoment } from '../drawn/replay/moment.ts'
import { stepsTable } from '../drawn/replay/steps-table.ts'
import { announce } from '../frame/live-region.tsx'
import './replay.css'

interface PlayerProps {
  view: ReplayView
  say: (sentence: Sentence) => ComponentChildren
  /** As markup, for tables. */
  draw: (sentence: Sentence) => readonly (Markup | string)[]
  /** The proof of a step, opened. */
  proofOf: (step: ReplayStep) => ComponentChildren
  /** Where more is said of a tile. */
  linksOf?: (tile: ReplayTile) => ComponentChildren
  /** Looks into a pool. */
  onPool?: ((name: string) => void) | undefined
}

/** A step is shown so long; of many steps the whole takes no more than `wholeRunMs`. */
const stepMs = 2_000
const leastStepMs = 250
const wholeRunMs = 90_000
const marksShown = 200

export function ReplayPlayer({ view, say, draw, proofOf, linksOf, onPool }: PlayerProps) {
  const { steps, resources } = view
  const [asked, setAt] = useState(0)
  const at = Math.min(asked, steps.length)
  const [isRunning, setRunning] = useState(false)
  const [resource, setResource] = useState(0)
  const [chosen, setChosen] = useState<string | undefined>(undefined)
  useEffect(() => {
    if (!isRunning) return
    if (at >= steps.length) {
      setRunning(false)
      announce(view.afterwards.map(({ text }) => text).join(' '))
      return
    }
    const timer = setTimeout(() => setAt(at + 1), Math.max(leastStepMs, Math.min(stepMs, wholeRunMs / steps.length)))
    return () => clearTimeout(timer)
  }, [isRunning, at, steps.length])
  const step = steps[at - 1]
  const goTo = (next: number) => {
    setRunning(false)
    setAt(Math.min(steps.length, Math.max(0, next)))
  }
  const run = () => {
    if (!isRunning && at >= steps.length) setAt(0)
    setRunning(!isRunning)
  }
  return (
    <div class="replay">
      <div class="replay-says">
        {step === undefined ? (
          view.before.map((sentence, index) => <p key={`${index}`}>{say(sentence)}</p>)
        ) : (
          <>
            <p class="replay-what">{say(step.text)}</p>
            <p>
              <span class="widgets-muted">Why: </span>
              {say(step.why)}
            </p>
            {step.refusals.map((refusal, index) => (
              <p key={`${index}`} class="replay-refused">
                <b>{refusalSign(step) ?? '◔'} </b>
                {say(refusal)}
              </p>
            ))}
            {at === steps.length ? view.afterwards.map(sentence => <p key={sentence.code}>{say(sentence)}</p>) : null}
          </>
        )}
      </div>
      <fieldset class="replay-controls">
        <legend class="frame-unseen">Replay</legend>
        <button
          type="button"
          class="widgets-button replay-run"
          onClick={run}
          disabled={steps.length === 0}
          aria-pressed={isRunning}
        >
          {isRunning ? '❚❚ Pause' : at >= steps.length && at > 0 ? '▶ Run again' : '▶ Run'}
        </button>
        <button type="button" class="widgets-button" onClick={() => goTo(at - 1)} disabled={at === 0} aria-label="One step back">
          ◀
        </button>
        <button
          type="button"
          class="widgets-button"
          onClick={() => goTo(at + 1)}
          disabled={at >= steps.length}
          aria-label="One step on"
        >
          ▶
        </button>
        <Track view={view} at={at} onChange={goTo} />
        {resources.length > 1 ? (
          <label class="replay-resource">
            Size by{' '}
            <select value={resource} onChange={event => setResource(Number(event.currentTarget.value))}>
              {resources.map((name, index) => (
                <option key={name} value={index}>
                  {name === 'cpu' ? 'CPU' : name}
                </option>
              ))}
            </select>
          </label>
        ) : null}
      </fieldset>
      <Picture {...{ view, at, resource, chosen, draw }} onChoose={setChosen} onPool={onPool} />
      <Legend view={view} />
      {chosen === undefined ? null : (
        <Chosen
          {...{ view, id: chosen, at, resource, say, proofOf, goTo }}
          links={linksOf}
          onClose={() => setChosen(undefined)}
        />
      )}
      <Refusals view={view} say={say} goTo={goTo} />
      {view.notes.length === 0 ? null : (
        <div class="replay-notes">
          {view.notes.map(note => (
            <p key={note.code}>{say(note)}</p>
          ))}
        </div>
      )}
    </div>
  )
}

/** Before, during, after; below it a mark for each refusal. */
function Track({ view, at, onChange }: { view: ReplayView; at: number; onChange: (at: number) => void }) {
  const { steps } = view
  const place = at === 0 ? 'before' : at === steps.length ? 'after' : `${at} of ${steps.length}`
  const marks = steps.flatMap((step, index) => {
    const sign = refusalSign(step)
    return sign === undefined ? [] : [{ sign, index }]
  })
  return (
    <div class="replay-track">
      <input
        type="range"
        min={0}
        max={steps.length}
        step={1}
        value={at}
        disabled={steps.length === 0}
        aria-label="Steps"
        aria-valuetext={
          at === 0 ? 'before' : at === steps.length ? `after: ${steps.at(-1)?.text.text ?? ''}` : steps[at - 1]?.text.text
        }
        onInput={event => onChange(Number(event.currentTarget.value))}
      />
      <svg class="replay-marks" width="100%" height={14} aria-hidden="true">
        {marks.slice(0, marksShown).map(({ sign, index }) => (
          <text key={index} x={`${((index + 1) / Math.max(1, steps.length)) * 100}%`} y={11} text-anchor="middle">
            {sign}
          </text>
        ))}
      </svg>
      <span class="replay-place">
        <span aria-hidden="true">before</span>
        <b>{place}</b>
        <span aria-hidden="true">after</span>
      </span>
    </div>
  )
}

interface PictureProps {
  view: ReplayView
  at: number
  resource: number
  chosen: string | undefined
  draw: PlayerProps['draw']
  onChoose: (id: string) => void
  onPool: PlayerProps['onPool']
}

function Picture({ view, at, resource, chosen, draw, onChoose, onPool }: PictureProps) {
  const layouts = useMemo(() => new Map<number, ReturnType<typeof replayLayout>>(), [view, resource])
  const layoutFor = (width: number) => {
    const known = layouts.get(width) ?? replayLayout(view, resource, Math.max(280, width))
    layouts.set(width, known)
    return known
  }
  const tiles = new Map(view.tiles.map(tile => [tile.id, tile]))
  const { boxOf } = replayMoment(view, at)
  const order = new Map(view.boxes.map(({ name }, index) => [name, index]))
  const inOrder = view.tiles.toSorted(
    (a, b) => (order.get(boxOf.get(a.id) ?? '') ?? 1e6) - (order.get(boxOf.get(b.id) ?? '') ?? 1e6),
  )
  const pools = onPool === undefined ? [] : view.boxes.filter(({ kind }) => kind === 'pool')
  const name = view.resources[resource] ?? ''
  const words = (tile: ReplayTile) =>
    `${tileName(tile)} on ${printable(boxOf.get(tile.id) ?? 'no node')}, ${amountText(name, tile.amounts[resource] ?? 0)} ${name}, ${tileWords[tile.kind].name}: ${printable(tile.because.text)}`
  const choose = (stop: number) => {
    const pool = pools[stop]
    if (pool !== undefined) onPool?.(pool.name)
    const tile = inOrder[stop - pools.length]
    if (pool === undefined && tile !== undefined) onChoose(tile.id)
  }
  const ground = useRef<HTMLDivElement>(null)
  const onClick = useRef<(event: MouseEvent) => void>(() => undefined)
  onClick.current = event => {
    if (!(event.target instanceof Element)) return
    const id = event.target.closest('[data-tile]')?.getAttribute('data-tile')
    const box = event.target.closest('[data-box]')?.getAttribute('data-box')
    if (id != null && tiles.has(id)) onChoose(id)
    else if (box != null && pools.some(one => one.name === box)) onPool?.(box)
  }
  // What the pointer chooses by a click the keyboard chooses by the cursor of the drawing.
  useEffect(() => {
    const listener = (event: MouseEvent) => onClick.current(event)
    ground.current?.addEventListener('click', listener)
    return () => ground.current?.removeEventListener('click', listener)
  }, [])
  return (
    <div class="replay-picture" ref={ground} data-pools={pools.length > 0}>
      <CursorDrawing
        name={drawingName({ view, at, resource })}
        file={`${view.plan}-replay`}
        stops={() => [
          ...pools.map(({ name: pool, nodes }) => `Look into ${printable(pool)}, ${counted(nodes, 'node')}`),
          ...inOrder.map(words),
        ]}
        height={width => layoutFor(width).height}
        draw={(width, cursor) => (
          <>
            <Drawn of={replayPatterns()} />
            <Drawn
              of={replayDrawing({
                ...{ view, at, resource, layout: layoutFor(width) },
                chosen: inOrder[cursor - pools.length]?.id ?? chosen,
              })}
            />
          </>
        )}
        table={<Drawn of={stepsTable(view, draw)} />}
        onChoose={choose}
      />
    </div>
  )
}

/** What colours and patterns say, each with how many pods it is. */
function Legend({ view }: { view: ReplayView }) {
  const pods = Map.groupBy(view.tiles, ({ kind }) => kind)
  return (
    <ul class="replay-legend" aria-label="What may be done with a pod">
      {(Object.keys(tileWords) as (keyof typeof tileWords)[]).map(kind => {
        const count = (pods.get(kind) ?? []).reduce((sum, tile) => sum + tile.pods, 0)
        return count === 0 ? null : (
          <li key={kind} title={tileWords[kind].means}>
            <svg width={16} height={16} aria-hidden="true">
              <g class={`replay-tile replay-${kind}`}>
                <rect x={1} y={1} width={14} height={14} rx={2} />
              </g>
            </svg>
            <b>{tileWords[kind].name}</b> <span class="widgets-muted">{`${count}: ${tileWords[kind].means}`}</span>
          </li>
        )
      })}
    </ul>
  )
}

interface ChosenProps {
  view: ReplayView
  id: string
  at: number
  resource: number
  say: PlayerProps['say']
  proofOf: PlayerProps['proofOf']
  links: PlayerProps['linksOf']
  goTo: (at: number) => void
  onClose: () => void
}

function Chosen({ view, id, at, say, proofOf, links, goTo, onClose }: ChosenProps) {
  const tile = view.tiles.find(one => one.id === id)
  if (tile === undefined) return null
  const own = view.steps.flatMap((step, index) => (step.tile === id ? [{ step, index }] : []))
  return (
    <section class="replay-proof" aria-label={`About ${tileName(tile)}`} aria-live="polite">
      <header>
        <h2>{tileName(tile)}</h2>
        <button type="button" class="widgets-button" onClick={onClose}>
          Close
        </button>
      </header>
      <p>
        <b>{tileWords[tile.kind].name}</b>: {say(tile.because)}
      </p>
      {tile.remedy === null ? null : <p class="widgets-muted">What would change that: {say(tile.remedy)}</p>}
      <p class="widgets-muted">
        {view.resources.map((name, index) => `${name} ${amountText(name, tile.amounts[index] ?? 0)}`).join(' · ')}
      </p>
      {links?.(tile)}
      {own.map(({ step, index }) => (
        <div key={step.id}>
          <p>
            {say(step.text)} {say(step.why)}.{' '}
            {index + 1 === at ? null : (
              <button type="button" class="widgets-link" onClick={() => goTo(index + 1)}>
                Show this step
              </button>
            )}
          </p>
          {proofOf(step)}
        </div>
      ))}
    </section>
  )
}

/** Refusals as a list, each a way to its step. */
function Refusals({ view, say, goTo }: { view: ReplayView; say: PlayerProps['say']; goTo: (at: number) => void }) {
  const refused = view.steps.flatMap((step, index) => (refusalSign(step) === undefined ? [] : [{ step, index }]))
  if (refused.length === 0) return null
  return (
    <details class="replay-refusals">
      <summary>{counted(refused.length, 'step')} did not go as meant at once</summary>
      <ol>
        {refused.slice(0, marksShown).map(({ step, index }) => (
          <li key={step.id} value={index + 1}>
            <button type="button" class="widgets-link" onClick={() => goTo(index + 1)}>
              {`${refusalSign(step) ?? ''} ${printable(step.text.text)}`}
            </button>{' '}
            {step.refusals.map((refusal, place) => (
              <span key={`${place}`}>
                {place > 0 ? '; ' : ''}
                {say(refusal)}
              </span>
            ))}
          </li>
        ))}
      </ol>
    </details>
  )
}
