import { age, ago, until } from '../../words/age.ts'
import { timeOfDay } from '../../words/time.ts'
import { now, zone } from '../frame/time.ts'
import './widgets.css'

interface WhenProps {
  /** RFC 3339; null is unknown. */
  at: string | null
  /** `time`: `14:03:18`; `age`: `3m20s`; `until`: `in 14m`. */
  as?: 'time' | 'age' | 'ago' | 'until'
  /** In long tables: no tab stop of its own, the tooltip stays. */
  still?: boolean
}

/** A moment as `<time>`; RFC 3339 and how long ago it is are shown to the mouse and to the keyboard. */
export function When({ at, as = 'time', still = false }: WhenProps) {
  if (at === null) return <span>–</span>
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) return <span>{at}</span>
  const left = ms - now.value
  const distance = left > 0 ? until(left) : ago(-left)
  const text =
    as === 'time' ? timeOfDay(ms, zone.value, now.value) : as === 'age' ? age(-left) : as === 'ago' ? ago(-left) : until(left)
  const exact = `${at}, ${as === 'time' ? distance : timeOfDay(ms, zone.value, now.value)}`
  if (still)
    return (
      <time dateTime={at} title={exact}>
        {text}
      </time>
    )
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the exact time and the age are shown on keyboard focus
    <time class="widgets-when" dateTime={at} data-exact={exact} aria-label={`${text} (${exact})`} role="note" tabIndex={0}>
      {text}
    </time>
  )
}
