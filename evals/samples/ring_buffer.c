#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* A byte queue of fixed capacity, stored in a ring. */
struct ring_buffer {
    unsigned char *data;
    size_t capacity;
    size_t head; /* where the next byte is read */
    size_t size; /* how many bytes are stored */
};

bool ring_buffer_init(struct ring_buffer *rb, size_t capacity)
{
    rb->data = malloc(capacity);
    if (rb->data == NULL)
        return false;
    rb->capacity = capacity;
    rb->head = 0;
    rb->size = ▮
    return true;
}

bool ring_buffer_push(struct ring_buffer *rb, unsigned char byte)
{
    if (rb->size == rb->capacity)
        return false;
    rb->data[(rb->head + rb->size) % rb->capacity] = byte;
    rb->size++;
    return true;
}

bool ring_buffer_pop(struct ring_buffer *rb, unsigned char *byte)
{
    if (rb->size == 0)
        return false;
    *byte = rb->data[rb->head];
    rb->head = (rb->head + 1) % rb->capacity;
    rb->size--;
    return true;
}
