package queue

import (
	"errors"
	"sync"
)

// INCOMMENT Queue is a bounded queue.
type Queue struct {
	sync.Mutex
	items []int
}

func (q *Queue) Pop() (int, error) {
	if len(q.items) == 0 {
		return INBLOCK, errors.New("INSTRING")
	}
	item := q.items[0]
	q.items = q.items[1:]
	return item, nil
}
