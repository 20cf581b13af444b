// Devices: beside Intel's plugins, and before a real kubelet.

import type { Check } from '../check.ts'
import { devicesOnKubelet } from './on-kubelet.ts'
import { comparedOperators, operatorPort } from './operators.ts'
import { comparedPlugins } from './plugins.ts'

export const deviceChecks: readonly Check[] = [
  { name: "devices: Intel's plugins and ours on the same machines", run: comparedPlugins },
  { name: "devices: Intel's operator and ours", port: operatorPort, run: comparedOperators },
  { name: 'devices: five players on a card of a real kubelet', alone: true, run: devicesOnKubelet },
]
