// The update of the weights: every rule against its formula in float64, with and without clipping,
// and the same bits at any number of threads.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include "check.hpp"
#include "reference.hpp"
#include "sets.hpp"
#include "update.hpp"

namespace {

using namespace recurra;
using namespace reference;

constexpr Index sizes[] = {0, 1, 15, 17, 5000, 30001};  // the last: two threads, many blocks
constexpr double rate = 0.01, decay = 0.1, beta = 0.9, gamma = 0.95, epsilon = 1e-8;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int steps = 4;
const char* const names[] = {"sgd", "adam", "adamw", "adagrad", "rmsprop"};

struct Arrays {
    Floats weight, gradient, momentum, squares, steps{0.0f};
};

struct Model {
    std::vector<Arrays> all;
    double norm = 0;
    bool cut = false;

    Model() {
        Random random{std::mt19937_64(11)};
        for (const Index size : sizes) {
            Arrays& one = all.emplace_back();
            one.weight = random.uniform(size, 2);
            one.momentum.resize((std::size_t)size);
            one.squares.resize((std::size_t)size, 1e-8f);
        }
    }

    void draw(int step) {
        Random random{std::mt19937_64((std::uint64_t)step)};
        for (Arrays& one : all) one.gradient = random.uniform((Index)one.weight.size(), 1);
    }

    void update(Rule rule, double clip_value, double clip_norm, int threads) {
        std::vector<Parameter> parameters;
        for (Arrays& one : all)
            parameters.push_back({one.weight.data(), one.gradient.data(), one.momentum.data(),
                                  one.squares.data(), one.steps.data(), (Index)one.weight.size(),
                                  decay});
        Update job{rule,    parameters.data(), (Index)parameters.size(), rate,    beta, gamma,
                   epsilon, clip_value,        clip_norm,                threads, 0,    false};
        chosen_set().update(job);
        norm = job.norm;
        cut = job.cut;
    }

    bool same(const Model& other) const {
        const auto equal = [](const Floats& one, const Floats& two) {
            return one.empty() || !std::memcmp(one.data(), two.data(), sizeof(float) * one.size());
        };
        for (std::size_t i = 0; i < all.size(); ++i)
            if (!equal(all[i].weight, other.all[i].weight) ||
                !equal(all[i].momentum, other.all[i].momentum) ||
                !equal(all[i].squares, other.all[i].squares) ||
                !equal(all[i].steps, other.all[i].steps))
                return false;
        return norm == other.norm && cut == other.cut;
    }
};

// The same in float64, a number at a time.
struct Exact {
    Numbers weight, momentum, squares;

    explicit Exact(const Arrays& from)
        : weight(wide(from.weight)), momentum(wide(from.momentum)), squares(wide(from.squares)) {}

    void move(Rule rule, std::size_t i, double g, int step) {
        double &w = weight[i], &m = momentum[i], &v = squares[i];
        if (rule == Rule::adamw) w -= rate * decay * w;
        else g += decay * w;
        switch (rule) {
            case Rule::sgd: m = beta * m + g, w -= rate * m; break;
            case Rule::adam:
            case Rule::adamw:
                m = beta * m + (1 - beta) * g, v = gamma * v + (1 - gamma) * g * g;
                w -= rate * (m / (1 - std::pow(beta, step))) /
                     (std::sqrt(v / (1 - std::pow(gamma, step))) + epsilon);
                break;
            case Rule::adagrad: v += g * g, w -= rate * g / (std::sqrt(v) + epsilon); break;
            case Rule::rmsprop:
                v = gamma * v + (1 - gamma) * g * g, w -= rate * g / (std::sqrt(v) + epsilon);
        }
    }
};

int check_rule(Rule rule, double clip_value, double clip_norm) {
    Model model, shared[2];
    std::vector<Exact> exact;
    for (const Arrays& one : model.all) exact.emplace_back(one);
    int failed = 0;
    double worst = 0;
    for (int step = 1; step <= steps; ++step) {
        double squares = 0, cut_squares = 0;
        model.draw(step);
        for (const Arrays& one : model.all)
            for (const double g : one.gradient) {
                squares += g * g;
                cut_squares += std::fmin(g * g, clip_value * clip_value);
            }
        const double norm = std::sqrt(squares), length = std::sqrt(cut_squares);
        const double scale = length > clip_norm ? clip_norm / length : 1;
        for (std::size_t p = 0; p < exact.size(); ++p)
            for (std::size_t i = 0; i < exact[p].weight.size(); ++i) {
                const double g = model.all[p].gradient[i];
                exact[p].move(rule, i, scale * std::fmax(-clip_value, std::fmin(g, clip_value)),
                              step);
            }
        model.update(rule, clip_value, clip_norm, 1);
        // Sums of 35,000 float64 terms in two orders.
        failed += std::fabs(model.norm - norm) > 1e-12 * norm;
        failed += model.cut != (length < norm || scale < 1);
        for (int i = 0; i < 2; ++i) {
            shared[i].draw(step);
            shared[i].update(rule, clip_value, clip_norm, i + 2);
            failed += !shared[i].same(model);
        }
    }
    for (std::size_t p = 0; p < exact.size(); ++p)
        for (std::size_t i = 0; i < exact[p].weight.size(); ++i) {
            const double off = std::fabs(model.all[p].weight[i] - exact[p].weight[i]);
            // Four float32 steps of some 0.03; where gradient and decay cancel, rounding is a
            // larger part. NaN is not less either.
            failed += !(off < 1e-3);
            worst = std::max(worst, off);  // GCC 12 for arm64 fails at fmax here
        }
    if (!failed) return 0;
    std::fprintf(stderr, "update %s clip %g %g: off by %.3g, norm, cut, weight or bits %d times\n",
                 names[(int)rule], clip_value, clip_norm, worst, failed);
    return 1;
}

// A norm that is not finite leaves everything as it was.
int check_left(Rule rule, float bad) {
    Model model;
    model.draw(1);
    Model before = model;
    model.all.back().gradient[30000] = bad;
    model.update(rule, 1, 1, 2);
    const bool told = !(model.norm < infinity) && !model.cut;
    model.norm = before.norm;
    if (told && model.same(before)) return 0;
    std::fprintf(stderr, "update %s: moved by %g\n", names[(int)rule], bad);
    return 1;
}

}  // namespace

int check::updates() {
    int failed = 0;
    for (int which = 0; which < 5; ++which) {
        const Rule rule = (Rule)which;
        for (const double clip_value : {0.5, infinity})
            for (const double clip_norm : {20.0, infinity})
                failed += check_rule(rule, clip_value, clip_norm);
        for (const float bad : {HUGE_VALF, -HUGE_VALF, std::numeric_limits<float>::quiet_NaN()})
            failed += check_left(rule, bad);
    }
    return failed;
}
