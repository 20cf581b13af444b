// Records what node-feature-discovery's engine answers, in test/fixtures/features/rules.json: `node test/real/features/record.ts`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { engine, engineAnswers } from './oracle.ts'
import { ruleQuestions } from './rule-questions.ts'
import { templateQuestions } from './template-questions.ts'

const seed = 1
const count = 1_500

const file = join(import.meta.dirname, '..', '..', 'fixtures', 'features', 'rules.json')
const recorded = {
  engine,
  command: 'node test/real/features/record.ts',
  templates: await engineAnswers(templateQuestions),
  rules: { seed, count, answers: await engineAnswers(ruleQuestions(seed, count)) },
}
const lines = (answers: readonly unknown[]) => answers.map(answer => `    ${JSON.stringify(answer)}`).join(',\n')
writeFileSync(
  file,
  `{
  "engine": ${JSON.stringify(recorded.engine)},
  "command": ${JSON.stringify(recorded.command)},
  "templates": [\n${lines(recorded.templates)}\n  ],
  "seed": ${seed},
  "rules": [\n${lines(recorded.rules.answers)}\n  ]
}
`,
)
console.log(`${recorded.templates.length} templates, ${count} rules`)
