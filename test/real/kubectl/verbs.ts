// Stock kubectl, verb by verb, on a twin of the example over HTTPS: what is checked is what a user sees.
// By hand: `node test/real/kubectl/verbs.ts [group]`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostClock } from '#kube/clock.ts'
import { openApi } from '#kube/api.ts'
import { processLog } from '../../../src/cli/process-log.ts'
import { startTwin } from '#twin/twin.ts'
import { enabledCapabilities } from '../../../src/cli/embedded-cluster.ts'
import { ballastNamespace, installBallast } from '../../../src/cli/install-ballast.ts'
import { readSource } from '../../../src/cli/source.ts'
import { type Check, runChecks } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type CommandCase, type Kubectl, runCase } from './command-case.ts'

const example = join(import.meta.dirname, '..', '..', '..', 'examples', 'talos-homelab')
/** Seconds of the cluster in one of ours: containers start sooner, kubectl's own time-outs stay. */
const speed = 4
