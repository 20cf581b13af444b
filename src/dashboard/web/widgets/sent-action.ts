// What became of an action that was sent. It is sent once; that it happened is only believed when the stream shows it.
import type { ActionName } from '../../contract.ts'

type SentAction =
  | { readonly state: 'none' }
  | {
      readonly state: 'sending' | 'sent' | 'unconfirmed'
      readonly action: ActionName
      readonly seen: string
      readonly sinceMs: number
    }
  | { readonly state: 'refused'; readonly action: ActionName; readonly message: string; readonly remedy: string | null }

export type ActionEvent =
  /** `seen`: what the topic showed when the button was pressed; when it shows another thing, the action has been seen. */
  | { readonly type: 'pressed'; readonly action: ActionName; readonly seen: string; readonly nowMs: number }
  | { readonly type: 'answered'; readonly nowMs: number }
  /** No answer came: it may have been done. */
  | { readonly type: 'lost'; readonly nowMs: number }
  | { readonly type: 'refused'; readonly message: string; readonly remedy: string | null }
  | { readonly type: 'shown'; readonly seen: string }
  | { readonly type: 'time'; readonly nowMs: number }
  | { readonly type: 'dismissed' }

export const nothingSent: SentAction = { state: 'none' }

/** How long the stream may take to show what was done. */
const shownWithinMs = 10_000

/** The next state. Real time in milliseconds, not the cluster's. What does not fit the state leaves it as it is. */
export function afterEvent(before: SentAction, event: ActionEvent): SentAction {
  switch (event.type) {
    case 'pressed':
      return mayPress(before, event.action)
        ? { state: 'sending', action: event.action, seen: event.seen, sinceMs: event.nowMs }
        : before
    case 'answered':
      if (before.state === 'sending' && isDoneByAnswer(before.action)) return nothingSent
      return afterEvent(before, { ...event, type: 'lost' })
    case 'lost':
      return before.state === 'sending' ? { ...before, state: 'sent', sinceMs: event.nowMs } : before
    case 'refused':
      return before.state === 'sending'
        ? { state: 'refused', action: before.action, message: event.message, remedy: event.remedy }
        : before
    case 'shown':
      return isUnderWay(before) && before.seen !== event.seen ? nothingSent : before
    case 'time':
      return before.state === 'sent' && event.nowMs - before.sinceMs >= shownWithinMs
        ? { ...before, state: 'unconfirmed' }
        : before
    case 'dismissed':
      return before.state === 'refused' || before.state === 'unconfirmed' ? nothingSent : before
  }
}

/** Whether the button can be pressed now. Neither pausing nor taking a pause back is held up by what is under way. */
export function mayPress(sent: SentAction, action: ActionName): boolean {
  if (sent.state !== 'sending' && sent.state !== 'sent') return true
  return (stopping.includes(action) && sent.action !== action) || undoneBy[sent.action] === action
}

const stopping: readonly ActionName[] = ['pause', 'freeze']
const undoneBy: { readonly [Action in ActionName]?: ActionName } = { pause: 'resume', freeze: 'thaw' }

type UnderWay = Extract<SentAction, { readonly seen: string }>

function isUnderWay(sent: SentAction): sent is UnderWay {
  return sent.state === 'sending' || sent.state === 'sent' || sent.state === 'unconfirmed'
}

/** A minute on, the next event, a pace that is there already, a reset: of some of what a twin does nothing in its view tells. Its answer does. */
function isDoneByAnswer(action: ActionName): boolean {
  return action.startsWith('twin/')
}

/** What is said beside the buttons; undefined where there is nothing to say. */
export function sentText(sent: SentAction): string | undefined {
  switch (sent.state) {
    case 'none':
      return undefined
    case 'sending':
    case 'sent':
      return 'Sent; waiting to see it'
    case 'unconfirmed':
      return 'Not confirmed. Look at the plan before trying again.'
    case 'refused':
      return sent.remedy === null ? sent.message : `${sent.message} ${sent.remedy}`
  }
}
