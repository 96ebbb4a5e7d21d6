package ratelimit

import (
	"net/http"
	"sync"
	"time"
)

// Bucket is a token bucket: it holds up to Capacity tokens and refills at Rate tokens per second.
type Bucket struct {
	Capacity float64
	Rate     float64

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

// NewBucket returns a full bucket.
func NewBucket(capacity, rate float64) *Bucket {
	return &Bucket{Capacity: capacity, Rate: rate, tokens: capacity, last: time.Now()}
}

// Allow takes one token if there is one.
func (b *Bucket) Allow() bool {
	b.mu.Lock()
	defer b.mu.▮

	now := time.Now()
	b.tokens = min(b.Capacity, b.tokens+b.Rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Limit answers 429 when the bucket is empty.
func Limit(b *Bucket, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.Allow() {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
