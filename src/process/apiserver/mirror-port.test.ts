import { expect, test } from 'vitest'
import { fixedSettings } from '../configuration/controller-settings.ts'
import { enabledCapabilities } from '../enabled-capabilities.ts'
import { mirrorMetricsPort } from './mirror-port.ts'

test.each([
  ['as it comes', {}, 29_997],
  ['as the file says', { mirror: { metricsPort: 9_090 } }, 9_090],
])('%s', (_, configurations, port) => {
  expect(mirrorMetricsPort(fixedSettings({ capabilities: enabledCapabilities, configurations }).current)).toBe(port)
})

test('nothing is known of the cluster', () => expect(mirrorMetricsPort(undefined)).toBe(29_997))
