import { testRooms } from './matrix/test-rooms.ts'

await testRooms(18, 'row', 'sealed')
