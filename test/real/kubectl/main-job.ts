// The main job as a user of kubectl sees it: `ballast up` puts the example right while they look on.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Check } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type CommandCase, runCase, step } from './command-case.ts'

const commandLine = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
const startLimitMs = 120_000

const meanwhile: readonly CommandCase[] = [
  {
    name: 'the policy, then its plan, done',
    steps: [
      step('wait rebalancepolicy/talos --for=condition=Valid --timeout=30s', 'rebalancepolicy.ballast.dev/talos condition met'),
      step('get rebalancepolicy talos', /^talos +Approve +0 4 \* \* \* +True /m),
      step('wait rebalancepolicy/talos --for=jsonpath={.status.lastPlan} --timeout=60s', /condition met/),
      step('wait rebalanceplans --all --for=jsonpath={.status.phase}=Succeeded --timeout=120s', /condition met/, {
        limitMs: 150_000,
      }),
      step('get rebalanceplans', [/^NAME +POLICY +PHASE +MOVES +/, /^talos-\w+ +talos +Succeeded +15 .* True /m]),
    ],
  },
  {
    name: 'both goals met, nothing pending, nothing left behind',
    steps: [
      step('describe node talos00', [/^ {2}cpu +\d+m \((6\d|[1-5]?\d)%\) /m, /^Taints: +<none>$/m]),
      step('describe node talos03', [/^ {2}cpu +\d+m \((3[1-9]|[4-9]\d)%\) /m, /^Taints: +<none>$/m]),
      step('get pods -A --field-selector status.phase!=Running', '', { err: 'No resources found' }),
      step('get disruptionpermits -A --no-headers', /^\S+ +\S+ /m),
      step('explain rebalanceplan.spec.moves', /^FIELD: moves <\[\]Object>/m),
    ],
  },
]

/** With both versions. */
export const mainJobChecks: readonly Check[] = (['1.32', 'newest'] as const).map(version => ({
  name: `kubectl ${version}: the example put right`,
  run: async () => {
    const program = await kubectlPath(version)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-kubectl-'))
    const kubeconfig = join(directory, 'kubeconfig')
    const up = spawn(process.execPath, [commandLine, 'up', '--speed', '4', '--kubeconfig-out', kubeconfig], { stdio: 'ignore' })
    try {
      for (const deadline = Date.now() + startLimitMs; !existsSync(kubeconfig); await pause(100)) {
        if (Date.now() > deadline || up.exitCode !== null) throw new Error('ballast up wrote no kubeconfig')
      }
      const kubectl = { program, kubeconfig, cacheDirectory: join(directory, 'cache') }
      const differences: string[] = []
      for (const one of meanwhile) differences.push(...(await runCase(kubectl, one)))
      if (differences.length > 0) throw new Error(differences.join('\n  '))
      return `${meanwhile.length} cases`
    } finally {
      up.kill('SIGTERM')
      rmSync(directory, { recursive: true, force: true })
    }
  },
}))
