include settings.mk

CC := gcc
OBJECTS := cart.o order.o

.PHONY: all clean

all: store

# INCOMMENT links the program
store: $(OBJECTS)
	$(CC) -o $@ $^ inblock
	@echo done

clean:
	rm -f store $(OBJECTS)
