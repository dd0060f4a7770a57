import { testRooms } from './matrix/test-rooms.ts'

await testRooms(15, 'schema', 'sealed')
