// Devices: beside Intel's plugins, and before a real kubelet.

import type { Check } from '../check.ts'
import { devicesOnKubelet } from './on-kubelet.ts'
import { comparedPlugins } from './plugins.ts'
import { takenOver } from './taken-over.ts'

export const deviceChecks: readonly Check[] = [
  { name: "devices: Intel's plugins and ours on the same machines", run: comparedPlugins },
  { name: 'devices: five players on a card of a real kubelet', alone: true, run: devicesOnKubelet },
  { name: "devices: from Intel's plugin to ours and back on a real kubelet", alone: true, run: takenOver },
]
