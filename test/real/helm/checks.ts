// What is installed, and how: by Helm, by kubectl, by Kustomize.
import type { Check } from '../check.ts'
import { judgeAsleep } from './asleep.ts'
import { judgeOldDefinitions } from './definitions.ts'
import { judgeKustomization } from './kustomize.ts'
import { judgeManifests, judgeRelease } from './lifecycle.ts'
import { judgeRights, rightsCases } from './rights.ts'
import { judgeTemplates } from './templates.ts'

export const helmChecks: readonly Check[] = [
  { name: 'chart: helm template equals ballast manifests', run: judgeTemplates },
  { name: 'chart: kustomize builds equal ballast manifests', run: judgeKustomization },
  { name: 'chart: manifests applied twice on the real control plane, then uninstalled', run: judgeManifests },
  { name: 'uninstall: what an autoscaler set to zero is woken, by the record of a real API server', run: judgeAsleep },
  { name: 'chart: installed, upgraded, rolled back and uninstalled by Helm', run: judgeRelease },
  { name: 'chart: objects of the first definitions, upgraded', run: judgeOldDefinitions },
  ...rightsCases.map(one => ({
    name: `chart: ballast controller with the rights of the manifests, ${one.title}`,
    run: () => judgeRights(one),
  })),
]
