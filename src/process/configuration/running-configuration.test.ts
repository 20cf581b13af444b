import { expect, test } from 'vitest'
import { enabledCapabilities } from '../enabled-capabilities.ts'
import { readControllerConfiguration, settingsOf } from './controller-configuration.ts'
import { asRunning, runningText } from './running-configuration.ts'

const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'

function settings(text: string) {
  const read = readControllerConfiguration({ file: 'config.yaml', text: `${head}${text}`, overrides: [] }, enabledCapabilities)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return settingsOf(read.configuration, enabledCapabilities)
}

const whole = `
arbiter:
  freeze: audit
  mergeWindow: 90s
  ownerLabel: example.com/owner
  ownerValues: { keda: scaled }
  caps: { concurrent: 4, perHour: 60 }
  cooldowns: { balance: 24h, scale: 1h30m, quarantine: 10m }
  gates: { apiSlow: false }
  windows: { deschedule: ["0 4 * * *;2h;Etc/UTC"] }
capabilities:
  reload: { enabled: true, arbitration: coordinate }
`

/** Windows are functions: their texts tell. */
const shown = (of: ReturnType<typeof settings>) => ({
  ...of.arbiter,
  windows: Object.entries(of.arbiter.windows).map(([name, all]) => [name, all.map(({ text }) => text)]),
  ownerLabel: of.ownerLabel,
  enabled: Object.entries(of.capabilities).map(([name, { isEnabled }]) => [name, isEnabled]),
})

test.each([
  ['the defaults', ''],
  ['every kind of key', whole],
])('what is told of the running configuration reads as it is: %s', (_name, text) => {
  const running = settings(text)
  const read = asRunning(settings(''), runningText(running), enabledCapabilities)
  expect(read && shown(read)).toEqual(shown(running))
})

test('sections of capabilities are not told, and stay as they were read', () => {
  const own = settings('capabilities: { reload: { debounce: 7s } }')
  expect(runningText(own)).not.toContain('7s')
  expect(asRunning(own, runningText(settings(whole)), enabledCapabilities)?.capabilities['reload']?.config).toMatchObject({
    debounce: '7s',
  })
})

test('what cannot be read is nothing', () => {
  expect(asRunning(settings(''), '{"kind":"Other"}', enabledCapabilities)).toBeUndefined()
  expect(asRunning(settings(''), 'not: [', enabledCapabilities)).toBeUndefined()
})
