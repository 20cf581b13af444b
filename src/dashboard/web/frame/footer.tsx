// The foot of every page: zone, theme, help, and in print where and when it was.
import { dayAndTime } from '../../words/time.ts'
import { A } from './router.tsx'
import { setTheme, type Theme, theme } from './theme.ts'
import { chooseZone, now, zone, zones } from './time.ts'

const themes: readonly (readonly [Theme, string])[] = [
  ['system', 'as the system'],
  ['light', 'light'],
  ['dark', 'dark'],
]

export function Footer() {
  return (
    <footer class="frame-footer">
      <label>
        Times in{' '}
        <select class="widgets-select" value={zone.value} onChange={event => chooseZone(event.currentTarget.value)}>
          {zones.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Theme{' '}
        <select
          class="widgets-select"
          value={theme.value}
          onChange={event => setTheme(themes.find(([name]) => name === event.currentTarget.value)?.[0] ?? 'system')}
        >
          {themes.map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <span class="frame-footer-links">
        <A href="/settings">Settings</A> <A href="/help">Help</A>
      </span>
      <p class="frame-printed">
        {location.href} · {dayAndTime(now.value, zone.value)} {zone.value}
      </p>
    </footer>
  )
}
