import { perform } from './transcript-fixture.ts'
import { EXTENDED, OTHERS, SIMPLE } from './transcript-programs.ts'

await perform(() => ({ ...SIMPLE, ...EXTENDED, ...OTHERS }))
