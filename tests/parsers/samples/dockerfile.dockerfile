FROM python:3.12-slim AS build
WORKDIR /app

# INCOMMENT dependencies first, they change rarely
COPY pyproject.toml ./
RUN pip install --no-cache-dir .

ENV GREETING="INSTRING"
COPY . .
EXPOSE 8080
CMD ["python", "-m", "app"]
