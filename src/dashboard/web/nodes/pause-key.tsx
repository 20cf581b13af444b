// Shift+P pauses the plan that runs, and for five seconds offers to take that back.
import { useEffect, useState } from 'preact/hooks'
import type { Overview } from '../../contract.ts'
import { useKey } from '../frame/keys.ts'
import { announce } from '../frame/live-region.tsx'
import { useActions } from '../widgets/action-bar.tsx'

const undoMs = 5_000

/** On every page: what runs is known to all of them. */
export function PauseKey({ overview: { plan, buttons } }: { overview: Overview }) {
  const acting = useActions(JSON.stringify([plan?.name, plan?.phase]))
  const [canUndo, setUndo] = useState(false)
  const enabled = (action: 'pause' | 'resume') => buttons.find(button => button.action === action && button.enabled)
  useKey('Shift+P', 'Pause the plan', () => {
    const pause = enabled('pause')
    if (pause === undefined) return
    acting.press(pause)
    setUndo(true)
    announce('The plan is being paused. Undo is offered for five seconds.')
  })
  useEffect(() => {
    if (!canUndo) return
    const timer = setTimeout(() => setUndo(false), undoMs)
    return () => clearTimeout(timer)
  }, [canUndo])
  const resume = enabled('resume')
  if (!canUndo) return null
  return (
    <div class="nodes-undo" role="status">
      {plan?.phase === 'Paused' ? 'The plan is paused.' : 'Pausing the plan.'}{' '}
      <button
        type="button"
        class="widgets-button"
        disabled={resume === undefined}
        onClick={() => {
          if (resume !== undefined) acting.press(resume)
          setUndo(false)
        }}
      >
        Undo
      </button>
    </div>
  )
}
