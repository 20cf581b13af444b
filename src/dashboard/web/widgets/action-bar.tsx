// The buttons of a thing that can be acted on: each is one write, shown as its command, sent once, and believed when it is seen.
import type { ComponentChildren } from 'preact'
import { useCallback, useEffect, useId, useRef, useState } from 'preact/hooks'
import type { ActionButton } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { announce } from '../frame/live-region.tsx'
import { at } from '../frame/past.ts'
import { isConnected, revisionSeen } from '../live/live.ts'
import { ApiProblem, act } from '../live/requests.ts'
import { Confirm } from './confirm.tsx'
import { type ActionEvent, afterEvent, mayPress, nothingSent, sentText } from './sent-action.ts'
import './widgets.css'

/** What is done with the buttons of one thing. */
export interface Acting {
  readonly sent: ReturnType<typeof afterEvent>
  /** Sends it, unless one that is under way forbids it. */
  readonly press: (button: Pick<ActionButton, 'action' | 'body'>) => void
  readonly dismiss: () => void
}

/**
 * Sends actions and follows them until they are seen. `seen` is what the stream shows of the thing: when it changes, what was sent has
 * happened.
 */
export function useActions(seen: string): Acting {
  const [sent, setSent] = useState(nothingSent)
  const latest = useRef(sent)
  const tell = useCallback((event: ActionEvent) => {
    const next = afterEvent(latest.current, event)
    if (next === latest.current) return false
    latest.current = next
    setSent(next)
    const text = sentText(next)
    if (text !== undefined && next.state !== 'sent') announce(text)
    return true
  }, [])
  useEffect(() => void tell({ type: 'shown', seen }), [seen])
  useEffect(() => {
    if (sent.state !== 'sent') return
    const timer = setInterval(() => tell({ type: 'time', nowMs: performance.now() }), 500)
    return () => clearInterval(timer)
  }, [sent.state])
  const press = async ({ action, body }: Pick<ActionButton, 'action' | 'body'>) => {
    if (!tell({ type: 'pressed', action, seen, nowMs: performance.now() })) return
    try {
      await act(action, { ...body, revision: revisionSeen() })
      tell({ type: 'answered', nowMs: performance.now() })
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      if (error.status === 0 || error.status >= 500) tell({ type: 'lost', nowMs: performance.now() })
      else tell({ type: 'refused', message: error.message, remedy: error.remedy })
    }
  }
  return { sent, press: button => void press(button), dismiss: () => void tell({ type: 'dismissed' }) }
}

interface ActionBarProps {
  buttons: readonly ActionButton[]
  acting: Acting
  /** What is acted on, for the dialog: `plan talos-7f3c`. */
  of: string
  /** Said in place of buttons, or beside them. */
  notice?: ComponentChildren
}

/** Buttons with what they would write. On a phone they stand at the lower edge; why one is disabled is said in the text. None in the past. */
export function ActionBar({ buttons, acting, of, notice }: ActionBarProps) {
  const [asked, ask] = useState<ActionButton>()
  const id = useId()
  if (at.value !== undefined) return null
  const { sent, press } = acting
  const shown = buttons.map(button => (isConnected.value ? button : { ...button, enabled: false, because: 'not connected' }))
  const disabled = shown.filter(({ enabled, because }) => !enabled && because !== null)
  const text = sentText(sent)
  return (
    <div class="widgets-actions">
      {notice === undefined ? null : <p class="widgets-actions-notice">{notice}</p>}
      {shown.length === 0 ? null : (
        <div class="widgets-buttons widgets-bottom">
          {shown.map(button => (
            <button
              key={button.action}
              type="button"
              class={button.prominent ? 'widgets-button widgets-button-prominent' : 'widgets-button'}
              disabled={!button.enabled || !mayPress(sent, button.action)}
              aria-describedby={!button.enabled && button.because !== null ? `${id}-${button.action}` : undefined}
              onClick={() => (button.confirm === null ? press(button) : ask(button))}
            >
              {button.label}
            </button>
          ))}
        </div>
      )}
      {shown.some(({ enabled }) => enabled) ? <Commands buttons={shown.filter(({ enabled }) => enabled)} /> : null}
      {text === undefined ? null : (
        <p class="widgets-sent" data-state={sent.state} role="status">
          {text}{' '}
          {sent.state === 'refused' || sent.state === 'unconfirmed' ? (
            <button type="button" class="widgets-link" onClick={acting.dismiss}>
              Dismiss
            </button>
          ) : null}
        </p>
      )}
      {reasonsOf(disabled).map(([because, of]) => (
        <p key={because} class="widgets-because">
          {of.map(({ action, label }, index) => (
            <span key={action} id={`${id}-${action}`}>
              {index > 0 ? ', ' : ''}
              <b>{label}</b>
            </span>
          ))}
          : {because}
        </p>
      ))}
      {asked === undefined || asked.confirm === null ? null : (
        <Confirm
          title={`${asked.label}: ${of}`}
          kubectl={asked.kubectl}
          label={asked.label}
          onCancel={() => ask(undefined)}
          onConfirm={() => {
            ask(undefined)
            press(asked)
          }}
        >
          <p>{asked.confirm.text}</p>
          <p>
            <b>{counted(asked.confirm.pods, 'pod')}</b> of <b>{counted(asked.confirm.workloads, 'workload')}</b> will be
            disrupted.
          </p>
        </Confirm>
      )}
    </div>
  )
}

function reasonsOf(buttons: readonly ActionButton[]): readonly (readonly [because: string, buttons: readonly ActionButton[]])[] {
  return [...Map.groupBy(buttons, ({ because }) => because ?? '')]
}

function Commands({ buttons }: { buttons: readonly ActionButton[] }) {
  return (
    <details class="widgets-commands">
      <summary>kubectl line</summary>
      {buttons.map(({ action, label, kubectl }) => (
        <div key={action}>
          <span class="widgets-kubectl-label">{label}</span>
          <pre class="widgets-kubectl">{kubectl}</pre>
        </div>
      ))}
    </details>
  )
}
