// The twin's controls, on every page of a twin: each is a write to its TwinClock or TwinFaults, as kubectl would make it.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ActionButton, ActionName, TwinView } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { dayAndTime } from '../../words/time.ts'
import { A } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { isConnected } from '../live/live.ts'
import { useTopic } from '../live/topics.ts'
import { type Acting, useActions } from '../widgets/action-bar.tsx'
import { sentText } from '../widgets/sent-action.ts'
import './twin.css'
import { age } from '../../words/age.ts'

export function TwinBar() {
  const twin = useTopic<TwinView>('twin').value.value
  return (
    <section class="twin-bar" aria-label="Twin">
      <A href="/twin" class="twin-word">
        twin
      </A>
      {twin === undefined ? null : <Controls twin={twin} />}
    </section>
  )
}

/** What changes when an action was carried out. */
export const seenOf = ({ speed, paused, faults, seed, source }: TwinView): string =>
  JSON.stringify([speed, paused, faults.map(({ name }) => name), seed, source])

function Controls({ twin }: { twin: TwinView }) {
  const acting = useActions(seenOf(twin))
  const of = (action: ActionName) => twin.buttons.filter(button => button.action === action)
  const said = sentText(acting.sent)
  return (
    <>
      <span class="twin-group">
        {[...of('twin/run'), ...of('twin/pause')].map(button => (
          <Press key={button.action} button={button} acting={acting}>
            {twin.paused ? '▸ run' : <PauseSign />}
          </Press>
        ))}
      </span>
      <span class="twin-group twin-speeds">
        {of('twin/speed').map(button => (
          <Press key={button.label} button={button} acting={acting} pressed={button.prominent && !twin.paused} />
        ))}
      </span>
      <span class="twin-group">
        {[...of('twin/advance'), ...of('twin/next')].map(button => (
          <Press key={button.action} button={button} acting={acting} />
        ))}
      </span>
      <TwinClockText twin={twin} />
      <span class="twin-settled">{settledText(twin)}</span>
      <span class="twin-more">
        <A href="/twin">{twin.faults.length === 0 ? 'Faults' : counted(twin.faults.length, 'fault')}</A>
      </span>
      {said === undefined || acting.sent.state === 'sent' ? null : (
        <span class="twin-said" role="status">
          {said}
        </span>
      )}
    </>
  )
}

/** `settled`, `12 timers`. */
export const settledText = ({ settled, pendingTimers }: TwinView): string =>
  settled ? 'settled' : `${counted(pendingTimers, 'timer')} waiting`

interface PressProps {
  button: ActionButton
  acting: Acting
  pressed?: boolean
  children?: ComponentChildren
}

/** A button of the twin: without a question, for a twin is there to be tried. */
export function Press({ button, acting, pressed, children }: PressProps) {
  return (
    <button
      type="button"
      class="twin-button"
      aria-pressed={pressed}
      disabled={!button.enabled || !isConnected.value}
      title={isConnected.value ? (button.because ?? button.kubectl) : 'not connected'}
      onClick={() => acting.press(button)}
    >
      {children ?? button.label}
    </button>
  )
}

/** Not every font has it as a letter. */
function PauseSign() {
  return (
    <>
      <svg class="twin-sign" width="9" height="10" aria-hidden="true">
        <path d="M1 0h2v10H1zM6 0h2v10H6z" />
      </svg>{' '}
      pause
    </>
  )
}

/** The clock, and at full speed how much has passed. */
function TwinClockText({ twin }: { twin: TwinView }) {
  const isFast = twin.speed === null && !twin.paused
  const since = useRef({ clusterMs: now.peek(), hereMs: performance.now() })
  const [passed, setPassed] = useState<string>()
  useEffect(() => {
    if (!isFast) {
      setPassed(undefined)
      return
    }
    since.current = { clusterMs: now.peek(), hereMs: performance.now() }
    const timer = setInterval(() => {
      const before = since.current
      since.current = { clusterMs: now.peek(), hereMs: performance.now() }
      setPassed(passedText(since.current.clusterMs - before.clusterMs, since.current.hereMs - before.hereMs))
    }, 2000)
    return () => clearInterval(timer)
  }, [isFast])
  return (
    <span class="twin-clock">
      {dayAndTime(now.value, zone.value)}
      {passed === undefined ? null : <span class="twin-passed"> {passed}</span>}
    </span>
  )
}

/** `+6h in 2s`. */
function passedText(clusterMs: number, hereMs: number): string {
  return `+${age(clusterMs)} in ${Math.max(1, Math.round(hereMs / 1000))}s`
}
