// Devices: beside Intel's plugins and AMD's, and before a real kubelet.

import type { Check } from '../check.ts'
import { claimsOnKubelet } from './claims-on-kubelet.ts'
import { comparedLabellers } from './labellers.ts'
import { devicesOnKubelet } from './on-kubelet.ts'
import { operatorProgram } from './operator-program.ts'
import { comparedOperators, operatorPort } from './operators.ts'
import { comparedAmd, comparedPlugins } from './plugins.ts'
import { takenOver } from './taken-over.ts'

export const deviceChecks: readonly Check[] = [
  { name: "devices: Intel's plugins and ours on the same machines", run: comparedPlugins },
  { name: "devices: AMD's plugin and ours on the same machines", run: comparedAmd },
  { name: "devices: AMD's node labeller and ours", run: comparedLabellers },
  { name: "devices: Intel's operator and ours", port: operatorPort, run: comparedOperators },
  { name: "devices: ours called as Intel's operator", port: operatorPort, run: operatorProgram },
  { name: 'devices: five players on a card of a real kubelet', alone: true, run: devicesOnKubelet },
  { name: 'devices: a claim on a real kubelet', alone: true, run: claimsOnKubelet },
  { name: "devices: from Intel's plugin to ours and back on a real kubelet", alone: true, run: takenOver },
]
